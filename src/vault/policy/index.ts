export { formatPolicy } from './format-policy.ts';
export { parsePolicy } from './parse-policy.ts';
export { type PolicyVerdict, testPolicy } from './test-policy.ts';
