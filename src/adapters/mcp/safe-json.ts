/** What a person does not see, or sees in another place than it is. */
const UNSEEN = /[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Zl}\p{Zp}\u007f-\u009f]/gu

/** JSON text for people, in which nothing hides: what cannot be seen is escaped. */
export function safeJson(value: unknown): string {
  // Outside of strings JSON has none of these characters, so that each can be replaced where it stands.
  return `${JSON.stringify(value, undefined, 2).replaceAll(UNSEEN, escapeUnits)}\n`
}

function escapeUnits(text: string): string {
  let escaped = ''
  for (let index = 0; index < text.length; index++) {
    escaped += `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`
  }
  return escaped
}
