import { either, type ObjectShape, type Shape, text } from './shape.js'

const MAX_SAFE = Number.MAX_SAFE_INTEGER
/** The longest time that a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** What is allowed in a session where the contract file says nothing. */
export const DEFAULT_BUDGET: {
  readonly toolCalls: number
  readonly denials: number
  readonly wallMs: number
} = Object.freeze({ toolCalls: 1000, denials: 100, wallMs: 86_400_000 })

/** Bytes of one message where the contract file says nothing: 4 MiB. */
export const DEFAULT_MAX_MESSAGE_BYTES: number = 4 * 1024 * 1024

const flag = (about: string): Shape => ({ type: 'boolean', about })
const count = (about: string, min = 0, max: number = MAX_SAFE): Shape => ({
  type: 'integer',
  about,
  min,
  max,
})
const path = (about: string): Shape => text(about, 4096)
const limit = (about: string): Shape => either(about, count(about), { type: 'null', about: 'no limit' })
const oneOrMore = (about: string, of: Shape): Shape =>
  either(about, of, { type: 'list', about, of, min: 1, max: 256 })

/** What stands for a value of an argument: `true`, `false`, or what has to hold of it. */
const RULE: Shape = either(
  'true: any value. false: the argument must not be there. An object: everything in it has to hold',
  flag('whether the argument may be there'),
  {
    type: 'object',
    name: 'rule',
    about: 'what has to hold of the value; the argument has to be there unless it is optional',
    members: {
      optional: () => flag('the argument may be left out, and the server then does what it does without it'),
      equals: () => ({ type: 'any', about: 'the value is this one' }),
      oneOf: () => ({
        type: 'list',
        about: 'the value is one of these',
        of: { type: 'any', about: 'a value' },
        min: 1,
        max: 1000,
      }),
      range: () => ({
        type: 'list',
        about: 'the value is a number from the first to the second; null is no bound',
        of: either('a bound', { type: 'number', about: 'a bound' }, { type: 'null', about: 'no bound' }),
        min: 2,
        max: 2,
      }),
      glob: () => oneOrMore('the whole text matches one of these: ?, * and **', text('a glob', 1024)),
      under: () =>
        oneOrMore(
          'the text is the absolute path of one of these folders or of something in it',
          path('a folder'),
        ),
      pattern: () => text('the whole text matches this regular expression (RE2)', 1024),
      maxLength: () => count('a text has at most so many UTF-16 code units, a list so many elements'),
      each: () => ({ ...RULE, about: 'the value is a list, and this holds of each element' }),
      members: () => ({
        ...ARGUMENTS,
        about: 'the value is an object, and these hold of its members as of the arguments of a tool',
      }),
    },
    oneOrMoreOf: ['equals', 'oneOf', 'range', 'glob', 'under', 'pattern', 'maxLength', 'each', 'members'],
  },
)

const ARGUMENT_NAME = { pattern: '^(?:[^$]|\\$\\$)', what: 'name of an argument' } as const

const ARGUMENTS: ObjectShape = {
  type: 'object',
  name: 'arguments',
  about: 'rules by the name of the argument; * is every argument that is not named',
  members: {},
  others: { ...ARGUMENT_NAME, of: () => RULE },
}

const TOOL: ObjectShape = {
  type: 'object',
  name: 'tool',
  about:
    'rules by the name of the argument; * is every argument that is not named. What begins with $ is about the tool',
  members: {
    $approval: () => ({ type: 'choice', about: 'somebody has to approve every call', values: ['always'] }),
    $maxCalls: () => count('calls of this tool in one session'),
    $timeoutMs: () => count('milliseconds after which a call is abandoned', 1, MAX_TIMER_MS),
    $readOnly: () => flag('running it changes nothing, so that a call that failed had no effect'),
    $show: () =>
      either(
        'arguments whose values the log and the approver are shown; true: all of them',
        flag('whether all values are shown'),
        {
          type: 'list',
          about: 'names of arguments',
          of: text('the name of an argument', 256),
          min: 1,
          max: 256,
        },
      ),
  },
  others: { ...ARGUMENT_NAME, what: 'name of an argument or option of a tool', of: () => RULE },
}

/** The whole file. */
export const CONTRACT: ObjectShape = {
  type: 'object',
  about: 'What an MCP server may be asked to do, by writ mcp.',
  members: {
    $schema: () => text('where the schema of this file is', 1024),
    server: () =>
      text(
        'what the server is called in the log and in pins; default "server"',
        64,
        '^[a-z0-9][a-z0-9._-]*$',
        'a name of a-z 0-9 . _ -',
      ),
    identity: () =>
      text(
        'who calls: name or name/version; default "writ-mcp"',
        128,
        '^[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)?$',
        'name or name/version of a-z 0-9 . _ -',
      ),
    user: () => text('for whom; default "local"', 256),
    task: () => text('what for', 4096),
    budget: () => ({
      type: 'object',
      about: 'the limits of a session; what is not here keeps its default, null is no limit',
      members: {
        toolCalls: () => limit(`calls that may run; default ${DEFAULT_BUDGET.toolCalls}`),
        denials: () => limit(`calls that may be denied; default ${DEFAULT_BUDGET.denials}`),
        wallMs: () => limit(`milliseconds from connecting on; default ${DEFAULT_BUDGET.wallMs}, a day`),
      },
    }),
    loops: () => flag('stops calls that go round in circles; default false'),
    tools: () => ({
      type: 'object',
      about: 'the tools that may be called, by their names on the server; a tool that is not here may not',
      members: {},
      others: {
        pattern: '^[A-Za-z0-9_./-]{1,128}$',
        what: 'name of a tool (1 to 128 of A-Z a-z 0-9 _ . / -)',
        of: () =>
          either(
            'true: may be called with any arguments. false: may not be called. An object: only with arguments that it names',
            flag('whether it may be called, with any arguments'),
            TOOL,
          ),
      },
    }),
    approvals: () => APPROVALS,
    audit: () => either('where the log goes: a file, from the folder of this file', path('a file'), AUDIT),
    pins: () => path('the file of accepted definitions; without it, definitions are not pinned'),
    maxMessageBytes: () =>
      count(`bytes of one message; default ${DEFAULT_MAX_MESSAGE_BYTES}`, 1024, 256 * 1024 * 1024),
  },
  required: ['tools', 'audit'],
}

const APPROVALS: ObjectShape = {
  type: 'object',
  about: 'who is asked about calls that need an approval; without it they are denied',
  members: {
    folder: () => path('a folder: a request is a file in it, and so is the answer'),
    webhook: () =>
      text(
        'an endpoint, as webhookApproval has it',
        2048,
        '^https?://[^\\s\\p{Cc}\\p{Cs}]+$',
        'an http(s) URL',
      ),
    secretEnv: () =>
      text(
        'the environment variable with the secret of the webhook (whsec_…)',
        128,
        '^[A-Za-z_][A-Za-z0-9_]*$',
        'the name of an environment variable',
      ),
    mode: () => ({
      type: 'choice',
      about:
        'wait: the call waits, and progress is reported. retry: it is denied, and may be tried again. Default wait',
      values: ['wait', 'retry'],
    }),
    timeoutMs: () => count('milliseconds to wait for an answer; default 300000', 1, MAX_TIMER_MS),
  },
  exactlyOneOf: ['folder', 'webhook'],
  together: ['webhook', 'secretEnv'],
}

const AUDIT: ObjectShape = {
  type: 'object',
  about: 'the log',
  members: {
    file: () => path('the file, from the folder of this one; {pid} in it is the process id'),
    durability: () => ({
      type: 'choice',
      about: 'when a record is on stable storage; default "commit"',
      values: ['commit', 'interval', 'os'],
    }),
    signing: () => ({
      type: 'object',
      about: 'signs the log',
      members: {
        key: () => path('the file of the private key, made by writ keygen'),
        origin: () => text("the log's own name; default the name of the key", 512),
      },
      required: ['key'],
    }),
    rotation: () => ({
      type: 'object',
      about: 'goes on in a new file when one is large or old enough',
      members: {
        maxBytes: () => count('a file of so many bytes is finished', 65_536),
        maxAgeMs: () => count('a file of this age is finished', 1000),
        keepSegments: () => count('finished files that are kept', 1),
        keepMs: () => count('finished files older than this are removed', 1000),
      },
      oneOrMoreOf: ['maxBytes', 'maxAgeMs'],
    }),
  },
  required: ['file'],
}
