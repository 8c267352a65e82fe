import { defineConfig } from 'vitest/config'
import base from './vitest.config.js'

/** The tests that hold the log and its verifier to their rules, without processes and without waiting. */
export default defineConfig({
  ...base,
  test: {
    include: [
      'test/unit/audit/**/*.test.ts',
      'test/property/{verify,merkle,log,commitments}.test.ts',
      'test/promises/{p13-*,p14-commitments,p15-*}.test.ts',
      'test/unit/agent/agent.test.ts',
      'test/unit/sinks/{callback,memory}.test.ts',
    ],
    exclude: [
      // They measure the heap, which instrumented code fills.
      'test/unit/audit/verify-bad-input.test.ts',
      // What it is about is not changed here, and it measures the heap as well.
      'test/unit/audit/aegrail-*.test.ts',
      // It loads all modules anew, so that what runs once, as they load, looks as if a test ran it.
      'test/unit/audit/vector.test.ts',
    ],
    testTimeout: 20_000,
  },
})
