const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/

/** A count as C2SP writes it, in ASCII digits without a sign or leading zeros; `undefined` at 2^53 and above. */
export function parseDecimal(text: string): number | undefined {
  if (!DECIMAL.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}
