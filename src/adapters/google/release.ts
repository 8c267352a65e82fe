/**
 * The response, with a body that is cancelled when its reader lets go of it: that is all that the SDK does of
 * a stream that is left early.
 */
export function cancelledWhenReleased(response: Response): Response {
  const { body } = response
  if (body === null) return response
  const getReader = body.getReader.bind(body) as () => ReadableStreamDefaultReader<Uint8Array>
  Object.defineProperty(body, 'getReader', {
    value: (): ReadableStreamDefaultReader<Uint8Array> => {
      const reader = getReader()
      const release = reader.releaseLock.bind(reader)
      Object.defineProperty(reader, 'releaseLock', {
        value: (): void => {
          // Of a stream that has ended there is nothing to cancel.
          reader.cancel().catch(() => undefined)
          release()
        },
      })
      return reader
    },
  })
  return response
}
