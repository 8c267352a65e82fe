import type { CompositeSink, AuditSink as Sink } from '../audit/sink.js'
import { callbackSink } from './callback.js'
import { compositeSink } from './composite.js'
import { type FileSinkOptions, fileSink } from './file.js'
import { memorySink } from './memory.js'
import { stdoutSink } from './stdout.js'
import { webhookSink } from './webhook.js'

/**
 * The sinks that come with the library.
 *
 * @example
 * AuditSink.composite(AuditSink.file('./audit.jsonl'), AuditSink.webhook('https://alerts.example.com/writ'))
 */
export const AuditSink: {
  readonly file: (path: string, options?: FileSinkOptions) => Sink
  readonly stdout: typeof stdoutSink
  readonly memory: typeof memorySink
  readonly callback: typeof callbackSink
  readonly webhook: typeof webhookSink
  readonly composite: (...sinks: (Sink | CompositeSink)[]) => CompositeSink
} = Object.freeze({
  file: (path: string, options?: FileSinkOptions) => fileSink(path, options),
  stdout: stdoutSink,
  memory: memorySink,
  callback: callbackSink,
  webhook: webhookSink,
  composite: compositeSink,
})

/** Where an agent's records go: one sink, or several under one chain. */
export type AuditSink = Sink | CompositeSink
