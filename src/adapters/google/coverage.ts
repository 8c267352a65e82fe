import { type CoveredEndpoint, covered, type Governance, lookup } from '../metered/coverage.js'

/**
 * What `governedFetch` enforces and what it does not, as the adapter itself looks it up: the first line that
 * fits decides.
 */
export const COVERAGE: readonly CoveredEndpoint[] = covered([
  ['POST', '/*/*:generateContent', 'metered'],
  ['POST', '/*/*:streamGenerateContent', 'metered'],
  ['POST', '/*/*:embedContent', 'metered'],
  ['POST', '/*/*:batchEmbedContents', 'metered'],
  ['POST', '/*/*:countTokens', 'free'],
  ['POST', '/*/*:computeTokens', 'free'],
  ['POST', '/*/*:fetchPredictOperation', 'free'],
  ['POST', '/*/*:cancel', 'free'],
  ['POST', '/upload/*/files', 'free'],
  ['POST', '/files:register', 'free'],
  ['GET', '/**', 'free'],
  ['DELETE', '/**', 'free'],
  ['WebSocket', '/**', 'outside'],
  ['any other', '/**', 'unmetered'],
])

/** How a request is governed, by its method and the path of its URL. */
export const governanceOf: (method: string, path: string) => Governance = lookup(COVERAGE)
