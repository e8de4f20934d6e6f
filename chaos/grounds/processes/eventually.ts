/** Asks again until `condition` holds. @throws Error naming `what` after `deadlineMs`. */
export async function eventually(
  condition: () => Promise<boolean>,
  what: string,
  deadlineMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      if (await condition()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
  throw new Error(`Not within ${deadlineMs} ms: ${what}`, { cause: last });
}
