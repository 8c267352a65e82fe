export { type FakeClock, fakeClock } from './testing/fake-clock.js'
export type { SinkUnderTest } from './testing/sink-bench.js'
export { type SinkCase, sinkSuite } from './testing/sink-suite.js'
