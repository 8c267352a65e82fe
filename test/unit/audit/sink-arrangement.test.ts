import { describe, expect, test } from 'vitest'
import { AuditSink } from 'writ'
import { agentOn, temporaryFolder } from '../../support/audit-logs.js'

const whole = {
  name: 'own',
  durable: false,
  open: () => undefined,
  append: () => undefined,
  flush: () => undefined,
  flushSync: () => undefined,
  close: () => Promise.resolve(),
}

describe('what is no sink is refused by what it lacks', () => {
  test.each<[said: string, sink: unknown]>([
    ['audit: expected an AuditSink, got undefined', undefined],
    ['audit: expected an AuditSink, got null', null],
    ['audit: expected an AuditSink, got ', 'audit.jsonl'],
    ['audit: expected an AuditSink, and open is no function', {}],
    ...['open', 'append', 'flush', 'flushSync', 'close'].map((method): [string, unknown] => [
      `audit: expected an AuditSink, and ${method} is no function`,
      { ...whole, [method]: 'x' },
    ]),
    ['audit: expected an AuditSink with a name and durable: boolean', { ...whole, name: 7 }],
    ['audit: expected an AuditSink with a name and durable: boolean', { ...whole, durable: 'yes' }],
  ])('%s', (said, sink) => {
    const make = () => agentOn(sink as never)
    expect(make).toThrow(TypeError)
    expect(make).toThrow(said)
  })

  test('and what is whole is none of these', async () => {
    await agentOn(whole).close()
  })
})

describe('a composite is refused', () => {
  test('without sinks', () => {
    expect(() => agentOn({ sinks: [] } as never)).toThrow(
      new TypeError('audit: a composite needs at least one sink'),
    )
  })

  test('where a sink has to decide what is in the log, and another one does', async () => {
    const folder = temporaryFolder()
    const [plain, rotated] = [
      AuditSink.file(`${folder}/a.jsonl`),
      AuditSink.file(`${folder}/b.jsonl`, { rotation: { maxBytes: 1_000_000 } }),
    ]
    expect(() => agentOn(AuditSink.composite(plain, rotated))).toThrow(
      new TypeError('audit: file:b.jsonl has rotation, and only the first durable sink of a log can rotate'),
    )
    await agentOn(AuditSink.composite(rotated, plain)).close()
  })
})
