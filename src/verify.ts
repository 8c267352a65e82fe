export { EXIT_CODES, type Fault, LogVerifier, type LogSource, type Verdict, type VerifyReport, verifyLog } from './audit/verify.js'
