/** Something in a definition that a person should look at. No finding does not mean that there is nothing. */
export interface DefinitionFinding {
  /** JSON pointer (RFC 6901) of the text, or of the member whose name it is. */
  readonly pointer: string
  readonly kind: 'hidden_unicode' | 'instruction_like' | 'far_away_text'
  /** What was found, in words; may hold what a server wrote. */
  readonly detail: string
}

const MAX_FINDINGS = 100
const MAX_DEPTH = 64
/** Of one text: nobody reads more, and a pattern has to come to an end. */
const MAX_TEXT_LENGTH = 100_000

const HIDDEN: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['bidirectional controls', /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u],
  [
    'zero-width characters',
    /[\u180e\u200b\u200c\u2060-\u2064\ufeff]|(?<!\p{Extended_Pictographic}\ufe0f?)\u200d/u,
  ],
  ['a run of variation selectors', /[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]{2}/u],
  ['soft hyphens or fillers', /\u034f|[\u00ad\u115f\u1160\u17b4\u17b5\u3164\uffa0]/u],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  ['control characters', /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/u],
]

const TAGS = /[\u{e0000}-\u{e007f}]+/gu

const INSTRUCTIONS: readonly RegExp[] = [
  /\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|rules?|prompts?|guidelines|above)\b/is,
  /<\/?\s*(?:important|system|instructions?|secret|admin|critical)\b/i,
  /\b(?:do not|don't|never|without)\b.{0,20}\b(?:tell|telling|mention|mentioning|inform|informing|notify|notifying|reveal|revealing|alert|alerting)\b/is,
  /\b(?:before|after|instead of|prior to)\b.{0,20}\b(?:using|calling|invoking|running)\b.{0,30}\btools?\b/is,
  /\b(?:must|always|first)\b.{0,20}\b(?:call|read|send|include|pass|append|use this)\b/is,
  /\b(?:system prompt|developer message|conversation history|previous messages|chat history)\b/i,
  /(?:~|\/root|\/home\/\w{1,32})\/\.|\bid_rsa\b|\.env\b|\b(?:api[ _-]?keys?|credentials|passwords?|private keys?|access tokens?)\b/i,
  /\byou are (?:now|an?)\b|\bact as\b|\bpretend\b/i,
]

/**
 * What stands out in a tool's definition: text that cannot be seen, text that speaks to a model rather than about
 * a tool, text that is far away from where one looks. It helps whoever accepts the definition; it detects nothing
 * reliably, and what it does not find may still be there.
 */
export function findingsIn(definition: unknown): readonly DefinitionFinding[] {
  const found: DefinitionFinding[] = []
  walk(definition, '', 0, found)
  return found.slice(0, MAX_FINDINGS)
}

function walk(value: unknown, pointer: string, depth: number, found: DefinitionFinding[]): void {
  if (found.length >= MAX_FINDINGS || depth > MAX_DEPTH) return
  if (typeof value === 'string') look(value, pointer, found)
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) {
    const step = `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (!Array.isArray(value)) look(name, step, found)
    walk(member, step, depth + 1, found)
  }
}

function look(whole: string, pointer: string, found: DefinitionFinding[]): void {
  const text = whole.slice(0, MAX_TEXT_LENGTH)
  const add = (kind: DefinitionFinding['kind'], detail: string): void => {
    found.push({ pointer, kind, detail })
  }
  for (const [what, pattern] of HIDDEN) if (pattern.test(text)) add('hidden_unicode', `holds ${what}`)
  for (const [tags] of text.matchAll(TAGS)) {
    add('hidden_unicode', `holds text in invisible tag characters: ${untagged(tags)}`)
  }
  const readable = text.replaceAll(TAGS, (tags) => ` ${untagged(tags)} `)
  for (const pattern of INSTRUCTIONS) {
    const [match] = pattern.exec(readable) ?? []
    if (match !== undefined)
      add('instruction_like', `speaks to a model, or of what no tool should name: ${match}`)
  }
  if (/\s{100}|(?:\n\s*){20}/.test(text)) add('far_away_text', 'has a long run of blanks or empty lines')
  if (whole.length > MAX_TEXT_LENGTH) add('far_away_text', `has ${whole.length} characters`)
}

/** Tag characters as the ASCII that a model may read in them. */
function untagged(tags: string): string {
  return [...tags]
    .map((tag) => (tag.codePointAt(0) ?? 0) - 0xe0000)
    .map((code) => (code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : ''))
    .join('')
}
