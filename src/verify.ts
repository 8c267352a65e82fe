export {
  EXIT_CODES,
  type Fault,
  type LogSource,
  LogVerifier,
  type Verdict,
  type VerifyReport,
  verifyLog,
} from './audit/verify.js'
