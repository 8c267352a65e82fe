import { defineConfig } from 'vitest/config'
import base from './vitest.config.js'

/** The tests that hold the log and its verifier to their rules, without processes and without waiting. */
export default defineConfig({
  ...base,
  test: {
    include: [
      'test/unit/audit/**/*.test.ts',
      'test/property/{verify,merkle,log,commitments}.test.ts',
      'test/promises/p15-*.test.ts',
    ],
    // It measures the heap, which instrumented code fills.
    exclude: ['test/unit/audit/verify-bad-input.test.ts'],
    testTimeout: 20_000,
  },
})
