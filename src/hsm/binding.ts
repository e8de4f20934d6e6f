import { createRequire } from 'node:module';

/**
 * Whether the PKCS#11 binding is compiled. It comes as source: where no compiler was when the packages
 * were installed, everything but HSMs works.
 */
export function isBindingCompiled(): boolean {
  try {
    createRequire(import.meta.url).resolve('pkcs11js/build/Release/pkcs11.node');
    return true;
  } catch {
    return false;
  }
}
