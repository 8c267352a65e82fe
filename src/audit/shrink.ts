import { encodeJson, omitted, quote } from '../core/json-text.js'

/** A payload that fits: members over 1 KiB give way to a marker, the rest stands. */
export function shrink(payload: string): string {
  const members = JSON.parse(payload) as Record<string, unknown>
  const kept = Object.keys(members).map((name) => {
    const text = encodeJson(members[name])
    return `${quote(name)}:${text.length > 1024 ? omitted('too_large') : text}`
  })
  return `{${kept.join(',')}}`
}
