/**
 * How the requests of an OpenAI client are governed. `metered`: held before, charged after, cut at a limit.
 * `free`: OpenAI charges nothing for it, so it passes while its session is open. `unmetered`: refused, unless
 * the adapter is told to let it pass. `outside`: never seen, because it does not go through `fetch`.
 */
export type Governance = 'metered' | 'free' | 'unmetered' | 'outside'

/** One line of {@link COVERAGE}. */
export interface CoveredEndpoint {
  readonly method: 'POST' | 'GET' | 'DELETE' | 'WebSocket' | 'any other'
  /** The end of the path; `*` is one segment, `**` anything. */
  readonly path: string
  readonly governance: Governance
}

/**
 * What `governedFetch` enforces and what it does not, as the adapter itself looks it up: the first line that
 * fits decides.
 */
export const COVERAGE: readonly CoveredEndpoint[] = Object.freeze(
  (
    [
      ['POST', '/chat/completions', 'metered'],
      ['POST', '/completions', 'metered'],
      ['POST', '/responses', 'metered'],
      ['POST', '/responses/compact', 'metered'],
      ['POST', '/embeddings', 'metered'],
      ['POST', '/moderations', 'free'],
      ['POST', '/responses/input_tokens', 'free'],
      ['POST', '/responses/*/cancel', 'free'],
      ['POST', '/chat/completions/*', 'free'],
      ['POST', '/conversations', 'free'],
      ['POST', '/conversations/*', 'free'],
      ['POST', '/conversations/*/items', 'free'],
      ['POST', '/files', 'free'],
      ['POST', '/batches/*/cancel', 'free'],
      ['GET', '/**', 'free'],
      ['DELETE', '/**', 'free'],
      ['WebSocket', '/realtime', 'outside'],
      ['WebSocket', '/responses', 'outside'],
      ['any other', '/**', 'unmetered'],
    ] as const
  ).map(([method, path, governance]) => Object.freeze({ method, path, governance })),
)

const PATTERNS = COVERAGE.map(({ path }) => {
  const pattern = path.replace('/**', '').replaceAll('*', '[^/]+')
  return new RegExp(`${pattern}/?$`)
})

/** How a request is governed, by its method and the path of its URL. */
export function governanceOf(method: string, path: string): Governance {
  const found = COVERAGE.find(
    (line, index) =>
      (line.method === method || line.method === 'any other') && PATTERNS[index]?.test(path) === true,
  )
  return found?.governance ?? 'unmetered'
}
