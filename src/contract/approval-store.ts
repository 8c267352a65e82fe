import type { ApprovalStore } from './approval.js'

/** Never forgets: what was decided by people does not fill a memory. */
const claimed = new Set<string>()

/** What this process has claimed, for all its agents. Another process, or this one after a restart, does not know it. */
export const processStore: ApprovalStore = Object.freeze({
  claim: (id: string): boolean => {
    if (claimed.has(id)) return false
    claimed.add(id)
    return true
  },
})
