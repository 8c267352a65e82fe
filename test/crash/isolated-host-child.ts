// A host of isolated tools: `<how> <module> <file>`.
import { isolated } from 'writ/isolated'

const [how, module = '', started = ''] = process.argv.slice(2)
const session = { id: 'session', principal: 'bot@session', user: 'alice', task: undefined }
const context = {
  callId: 'session.1',
  modelCallId: undefined,
  session: session as never,
  signal: new AbortController().signal,
  sync: false,
  remainingMs: () => Number.POSITIVE_INFINITY,
}

if (how === 'ends') {
  // Nothing is closed: idle workers must not keep a process alive, and a call under way must.
  for (const inProcess of [false, true]) {
    const add = isolated(module, { name: 'add', process: inProcess, min: 2 })
    console.log(await add({ a: 1, b: 2 }, context), add({ a: 3, b: 4 }, { ...context, sync: true }))
  }
} else if (how === 'prints') {
  for (const inProcess of [false, true]) {
    for (const stdio of ['ignore', 'inherit'] as const) {
      await using prints = isolated(module, { name: 'prints', process: inProcess, stdio })
      await prints({ text: `${inProcess ? 'process' : 'thread'} ${stdio}` }, context)
    }
  }
} else if (how === 'idle') {
  isolated(module, { name: 'add', min: 1 })
} else {
  void isolated(module, { name: 'parent', process: true })({ started }, context)
}
