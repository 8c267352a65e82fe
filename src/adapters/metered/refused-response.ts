/** Everything that a client may ask a response for. */
const MEMBERS = [
  'headers',
  'ok',
  'status',
  'statusText',
  'url',
  'type',
  'redirected',
  'body',
  'bodyUsed',
  'arrayBuffer',
  'blob',
  'bytes',
  'clone',
  'formData',
  'json',
  'text',
] as const

/**
 * A response in the place of one that was refused. Whatever is read of it first throws the refusal.
 *
 * Clients take an error that `fetch` itself throws for a broken connection: they try again and wrap it. What
 * they do with a response is outside of that, so the refusal reaches their caller once and as it is.
 *
 * @param inspected members that the client looks at while it would still take an error for that.
 */
export function refusedResponse(refusal: unknown, inspected: readonly string[] = []): Response {
  const response = new Response(null, { status: 403, headers: { 'x-should-retry': 'false' } })
  for (const member of MEMBERS) {
    if (inspected.includes(member)) continue
    Object.defineProperty(response, member, {
      get: (): never => {
        throw refusal
      },
    })
  }
  return response
}
