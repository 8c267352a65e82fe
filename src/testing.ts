export { type FakeClock, fakeClock } from './testing/fake-clock.js'
export { type SinkCase, sinkSuite } from './testing/sink-suite.js'
