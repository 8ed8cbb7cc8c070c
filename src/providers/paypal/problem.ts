// What PayPal says when it says no: which of its errors are final, which mean that the thing is done already, and
// which say nothing about the money.

import { z } from 'zod';
import type { Answer, DeclineCode } from '../../domain/provider.ts';
import type { HttpAnswer } from '../http.ts';
import { type Fault, type ProviderLog, providerText, uncertain } from '../surprise.ts';

export const PROVIDER = 'paypal';

const link = z.object({ href: z.string().max(2048), rel: z.string().max(100) });
const problemBody = z.object({
  name: z.string().min(1).max(100),
  message: z.string().nullish(),
  details: z.array(z.object({ issue: z.string().nullish(), description: z.string().nullish() })).nullish(),
  links: z.array(link).nullish(),
});
/** The sign-in and a refused token answer in another shape. */
const signInBody = z.object({ error: z.string().min(1).max(100), error_description: z.string().nullish() });

/** Errors of the server are not kept under our key: the same call may well succeed the next time. */
const SERVER_ERROR = /^(?:INTERNAL_|SERVICE_UNAVAILABLE|GATEWAY_)/;
const KEY_REUSED = 'PAYPAL_REQUEST_ID_PREVIOUSLY_USED';
/** Looked at and found wanting before anything was done. */
const MALFORMED_NAMES = new Set(['INVALID_REQUEST', 'VALIDATION_ERROR']);
/** That our own balance is too small, in an error or of an item. */
export const SHORT_OF_MONEY = new Set<string>(['INSUFFICIENT_FUNDS', 'REFUND_FAILED_INSUFFICIENT_FUNDS']);

// The issues that the specifications of orders (v2), captures (v2) and payouts (v1) give for a final no. That the buyer
// has to act is one as well where there is no order yet that the buyer could be sent to.
const FINAL = new Set(
  `AGREEMENT_ALREADY_CANCELLED AUTH_CAPTURE_NOT_ENABLED BILLING_ADDRESS_INVALID BILLING_AGREEMENT_ID_MISMATCH
   BILLING_AGREEMENT_NOT_FOUND CANCEL_URL_REQUIRED CANNOT_BE_NEGATIVE CANNOT_BE_ZERO_OR_NEGATIVE CAPTURE_DISPUTED
   CARD_BRAND_NOT_SUPPORTED CARD_CLOSED CARD_EXPIRED COMPLIANCE_VIOLATION CURRENCY_MISMATCH CURRENCY_NOT_SUPPORTED
   DECIMALS_NOT_SUPPORTED DECIMAL_PRECISION DECLINED_DUE_TO_RELATED_TXN DOMESTIC_TRANSACTION_REQUIRED
   IDENTIFIER_NOT_FOUND INCOMPATIBLE_PARAMETER_VALUE INSTRUMENT_DECLINED INVALID_CURRENCY_CODE INVALID_PAYER_ID
   MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED MAX_NUMBER_OF_REFUNDS_EXCEEDED MAX_VALUE_EXCEEDED
   MISMATCHED_VAULT_ID_TO_PAYMENT_SOURCE NOT_ENABLED_FOR_CARD_PROCESSING NOT_ENABLED_TO_VAULT_PAYMENT_SOURCE
   PARTIAL_REFUND_NOT_ALLOWED PAYEE_ACCOUNT_INVALID PAYEE_ACCOUNT_LOCKED_OR_CLOSED PAYEE_ACCOUNT_RESTRICTED
   PAYEE_BLOCKED_TRANSACTION PAYEE_NOT_ENABLED_FOR_CARD_PROCESSING PAYER_ACCOUNT_LOCKED_OR_CLOSED
   PAYER_ACCOUNT_RESTRICTED PAYER_ACTION_REQUIRED PAYER_CANNOT_PAY PAYMENT_SOURCE_CANNOT_BE_USED
   PAYMENT_SOURCE_DECLINED_BY_PROCESSOR PAYMENT_SOURCE_INFO_CANNOT_BE_VERIFIED PAYMENT_SOURCE_NOT_SUPPORTED
   REDIRECT_PAYER_FOR_ALTERNATE_FUNDING REFERENCED_CARD_EXPIRED REFUND_AMOUNT_EXCEEDED REFUND_AMOUNT_TOO_LOW
   REFUND_CAPTURE_CURRENCY_MISMATCH REFUND_CURRENCY_MISMATCH REFUND_IS_RESTRICTED REFUND_NOT_ALLOWED
   REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK REFUND_TIME_LIMIT_EXCEEDED RETURN_URL_REQUIRED SHIPPING_ADDRESS_INVALID
   TOKEN_EXPIRED TOKEN_ID_NOT_FOUND TRANSACTION_BLOCKED_BY_PAYEE TRANSACTION_DISPUTED TRANSACTION_LIMIT_EXCEEDED
   TRANSACTION_RECEIVING_LIMIT_EXCEEDED TRANSACTION_REFUSED UNSUPPORTED_INTENT VAULT_INSTRUCTION_REQUIRED`.split(/\s+/),
);

/** The error as the rest of the adapters know it: the name as its type, the first issue as its code. */
export function paypalFaultOf(body: unknown): Fault | null {
  const problem = problemBody.safeParse(body).data;
  if (problem === undefined) {
    const signIn = signInBody.safeParse(body).data;
    return signIn === undefined ? null : { type: '', code: signIn.error, message: signIn.error_description ?? '' };
  }
  if (SERVER_ERROR.test(problem.name)) return null;
  const first = problem.details?.[0];
  const code = first?.issue || problem.name;
  const message = first?.description || problem.message || '';
  return { type: problem.name, code: code === KEY_REUSED ? 'key_reused' : code, message };
}

export type Problem = HttpAnswer & { readonly fault: Fault };

export function isProblem(answer: HttpAnswer): answer is Problem {
  return answer.status >= 400 && answer.fault !== null;
}

/** A definite no; anything that is not documented as one is thrown as uncertain. */
export function declinedBy(answer: HttpAnswer, externId: string | null, log: ProviderLog): Answer {
  const { status, fault } = answer;
  const issue = fault?.code ?? '';
  const isMalformed = status === 400 && MALFORMED_NAMES.has(fault?.type ?? '');
  if (!isMalformed && !FINAL.has(issue) && !SHORT_OF_MONEY.has(issue)) {
    log.warn({ provider: PROVIDER, status, code: providerText(issue) }, 'PayPal refuses in a way not known here.');
    throw uncertain({ provider: PROVIDER, reason: 'unexpected_error', httpStatus: status });
  }
  const code = SHORT_OF_MONEY.has(issue) ? 'provider_insufficient_funds' : 'declined';
  return declined({ code, externId, detail: fault?.message || `Declined by PayPal (${issue}).` });
}

interface Decline {
  readonly code: DeclineCode;
  readonly detail: string;
  readonly externId: string | null;
}

/** No money of PayPal's moves without a further call of ours, so a decline never stays open. */
export function declined({ code, detail, externId }: Decline): Answer {
  return { type: 'declined', code, detail: providerText(detail), externId, isOpen: false };
}

export function linksIn(body: unknown): readonly { readonly href: string; readonly rel: string }[] {
  return problemBody.safeParse(body).data?.links ?? [];
}
