// The generated messages under short names. Nothing but names and codecs: no logic.
export { strongroom as api } from './generated/api.js';
export { strongroom as internal } from './generated/internal.js';
