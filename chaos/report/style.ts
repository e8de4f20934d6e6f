/**
 * The look of the page. Colours are those of Okabe and Ito, which stay apart for colour-blind
 * readers; nothing is told by them alone. No attribute of style is used, so that the page's policy
 * can name this one sheet.
 */
export const style = `
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#59636e;--line:#d5dae0;--faint:#f3f5f7;
--first:#0067a5;--second:#b45309;--third:#8a3a86;--fourth:#b3261e;--good:#12704a;--wrong:#b3261e;--pause:#6b5b00;
--good-ground:#e5f4ec;--wrong-ground:#fbe9e7;--pause-ground:#f6f1d8;
--look-0:#c2410c;--look-1:#0067a5;--look-2:#0b7a5b;--look-3:#9a2f78;--look-4:#7a6200;--look-5:#3f4a56}
@media(prefers-color-scheme:dark){:root{--paper:#14181d;--ink:#e8ecf0;--soft:#a3adb8;--line:#353d47;--faint:#1c222a;
--first:#6cb8f0;--second:#f0a850;--third:#e0a0dc;--fourth:#ff8a80;--good:#6fd3a3;--wrong:#ff8a80;--pause:#e6d36a;
--good-ground:#143226;--wrong-ground:#3b1a18;--pause-ground:#332d10;
--look-0:#ff9a62;--look-1:#6cb8f0;--look-2:#5fd0a8;--look-3:#f09bd0;--look-4:#e0c860;--look-5:#b4bfca}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif;-webkit-text-size-adjust:100%}
main{max-width:64rem;margin:0 auto;padding:1.5rem 1.25rem 4rem}
h1{font-size:1.9rem;line-height:1.2;margin:.2rem 0 .5rem;overflow-wrap:anywhere}
h2{font-size:1.3rem;margin:2.6rem 0 .8rem;padding-top:.8rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:0}
p{margin:.5rem 0;overflow-wrap:anywhere}
code,pre,.mono{font-family:ui-monospace,'SF Mono',Menlo,Consolas,'Liberation Mono',monospace;font-size:.88em;overflow-wrap:anywhere}
pre{background:var(--faint);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem;white-space:pre-wrap;margin:.6rem 0}
.over{color:var(--soft);font-size:.9rem;margin:0}
.purpose{font-size:1.08rem;max-width:46rem;color:var(--soft)}
.verdict{display:flex;gap:1rem;align-items:flex-start;border-radius:10px;padding:1rem 1.2rem;margin:1.2rem 0;border:2px solid}
.verdict .sign{font-size:2.2rem;line-height:1;font-weight:700}
.verdict strong{font-size:1.35rem;line-height:1.25;display:block;letter-spacing:.02em}
.verdict ul{margin:.5rem 0 0;padding-left:1.1rem}.verdict li{overflow-wrap:anywhere;color:var(--ink)}
.verdict p{color:var(--ink);margin:.15rem 0 0}
.verdict>div{min-width:0}
.verdict.passed{background:var(--good-ground);border-color:var(--good);color:var(--good)}
.verdict.failed{background:var(--wrong-ground);border-color:var(--wrong);color:var(--wrong);border-left-width:10px}
.verdict.interrupted{background:var(--pause-ground);border-color:var(--pause);color:var(--pause);border-style:dashed}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.7rem;margin:1.2rem 0;padding:0;list-style:none}
.figures li{background:var(--faint);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem}
.figures b{display:block;font-size:1.45rem;line-height:1.2;font-variant-numeric:tabular-nums}
.figures span{color:var(--soft);font-size:.85rem;line-height:1.35;display:block}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.25rem 1.2rem;margin:0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.panel{margin:0 0 1.1rem;break-inside:avoid}
figcaption{display:flex;flex-wrap:wrap;gap:.15rem .9rem;align-items:baseline;margin-bottom:.25rem}
.unit,.note{color:var(--soft);font-size:.85rem}
.note{margin:.2rem 0}
.key{font-size:.85rem;white-space:nowrap}
.plot{display:grid;grid-template-columns:4.6rem minmax(0,1fr)}
.plot svg{display:block;width:100%}
.plot svg svg{overflow:hidden}
.area{overflow:visible}
svg text{font-size:11px;fill:var(--soft);font-family:inherit}
.labels text{text-anchor:end}
.time.start,.impossible.start{text-anchor:start}.time.middle{text-anchor:middle}.time.end,.impossible.end{text-anchor:end}
svg .row{font-size:12px;fill:var(--ink);font-weight:600}
svg .name{fill:var(--ink)}
.number{font-weight:700}
.grid{stroke:var(--line);stroke-width:1}
.curve{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round;vector-effect:non-scaling-stroke}
.curve.first{stroke:var(--first)}.curve.second{stroke:var(--second);stroke-dasharray:6 4}.curve.third{stroke:var(--third);stroke-dasharray:2 4;stroke-width:2.2}.curve.fourth{stroke:var(--fourth);stroke-dasharray:10 3 2 3}
.fill{stroke:none;opacity:.16}.fill.first{fill:var(--first)}.fill.fourth{fill:var(--fourth);opacity:.3}
.definitions{position:absolute}
.hatch{fill:none;stroke-width:1.1;opacity:.28}.hatch.look-0{stroke:var(--look-0)}.hatch.look-1{stroke:var(--look-1)}.hatch.look-2{stroke:var(--look-2)}.hatch.look-3{stroke:var(--look-3)}.hatch.look-4{stroke:var(--look-4)}.hatch.look-5{stroke:var(--look-5)}
.look-0{fill:var(--look-0);color:var(--look-0)}.look-1{fill:var(--look-1);color:var(--look-1)}.look-2{fill:var(--look-2);color:var(--look-2)}.look-3{fill:var(--look-3);color:var(--look-3)}.look-4{fill:var(--look-4);color:var(--look-4)}.look-5{fill:var(--look-5);color:var(--look-5)}
.tint{opacity:.08}.solid{opacity:.28}.edge{stroke:currentColor;stroke-width:1.2;opacity:.45}.fault .edge{stroke-width:3;opacity:1}
.recovery{fill:var(--ink);stroke:none}line.recovery{stroke:var(--ink);stroke-width:3}.recovery.never{fill:var(--wrong)}
.chip{display:inline-block;min-width:1.7em;text-align:center;border:2px solid currentColor;border-radius:5px;font-weight:700;font-size:.85rem;line-height:1.4}
.term.even{fill:var(--line);opacity:.8}.term.odd{fill:var(--line);opacity:.35}
.state.leader{fill:var(--first)}.state.quiet{fill:var(--soft);opacity:.5}.state.busy{fill:var(--second);opacity:.35}.state.bad{fill:var(--wrong);opacity:.4}.state.gone{fill:var(--paper);stroke:var(--wrong);stroke-width:1}
.mark{fill:none;stroke-width:1.4}.mark.busy{stroke:var(--second)}.mark.bad{stroke:var(--wrong)}.mark.gone{stroke:var(--wrong)}
.cursor{stroke:var(--ink);stroke-width:1;visibility:hidden}.cursor.shown{visibility:visible}
.readout{position:fixed;left:0;right:0;bottom:0;background:var(--ink);color:var(--paper);padding:.45rem 1rem;font-size:.85rem;text-align:center;font-variant-numeric:tabular-nums;pointer-events:none}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
th{text-align:left;color:var(--soft);font-weight:600;font-size:.85rem;border-bottom:2px solid var(--line);padding:.3rem .7rem .3rem 0;vertical-align:bottom}
td{border-bottom:1px solid var(--line);padding:.45rem .7rem .45rem 0;vertical-align:top;overflow-wrap:break-word}
td code{overflow-wrap:break-word}
tr{break-inside:avoid}
.history{margin-top:1rem}h3+.history{margin-top:.3rem}.wide+h3{margin-top:1.4rem}
.mark-word{font-weight:700;white-space:nowrap}.good{color:var(--good)}.wrong{color:var(--wrong)}
.bullet{display:block;min-width:6rem;margin-top:.25rem}.bullet .ground{fill:var(--line);opacity:.5}.bullet .good{fill:var(--good)}.bullet .wrong{fill:var(--wrong)}.bullet .bound{stroke:var(--ink);stroke-width:2}
.diagram{display:block}
svg .client{font-weight:600;fill:var(--ink)}
.operation rect{fill:var(--first);opacity:.35}.operation.write rect{opacity:.9}.operation .end{stroke:var(--ink);stroke-width:1.5}.operation text{fill:var(--ink)}.operation .answer{fill:var(--soft)}
.operation.open rect{fill:none;stroke:var(--first);stroke-dasharray:5 4;opacity:1}
.operation.culprit rect{fill:var(--wrong);opacity:.55;stroke:var(--wrong);stroke-width:3}.operation.culprit text{fill:var(--wrong);font-weight:700}
.moment{stroke:var(--wrong);stroke-width:1.5;stroke-dasharray:4 3}svg .impossible{fill:var(--wrong);font-weight:700;font-size:12px}
summary{cursor:pointer;padding:.4rem 0;color:var(--first)}
footer{margin-top:3rem;color:var(--soft);font-size:.85rem}
svg .crowded{display:none}
@media(max-width:40rem){
svg .tight{display:none}
main{padding:1rem .9rem 4rem}h1{font-size:1.5rem}
.plot{grid-template-columns:3.6rem minmax(0,1fr)}
dl{grid-template-columns:minmax(0,1fr)}dt{margin-top:.4rem}
.figures{grid-template-columns:repeat(2,minmax(0,1fr))}.figures b{font-size:1.2rem}
table,tbody,tr,td{display:block}thead{display:none}
tr{border:1px solid var(--line);border-radius:8px;padding:.5rem .8rem;margin-bottom:.6rem}
td{border:0;padding:.15rem 0;overflow-wrap:anywhere}td:empty{display:none}
td:not([data-label=""])::before{content:attr(data-label) ': ';color:var(--soft);font-size:.85rem}
}
@media print{
:root{color-scheme:light}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{font-size:11pt}main{max-width:none;padding:0}
h2{break-after:avoid}.readout,.cursor{display:none}
.wide{overflow:visible}.diagram{max-width:100%;height:auto}
summary{color:var(--ink)}
}
`;
