/** A mistake of the user's: the message names the thing and the value and says what to do; printed without a stack. */
export class UserError extends Error {
  name = 'UserError';
}
