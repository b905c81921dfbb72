/** Results of PXE's calls (Preboot Execution Environment 2.1, attachment A). */
export const SUCCESS = 0x00;
export const FAILURE = 0x01;
export const BAD_FUNCTION = 0x02;
export const UNSUPPORTED = 0x03;
export const UDP_CLOSED = 0x18;
export const TFTP_CLOSED = 0x1a;
export const TFTP_OPEN = 0x1b;
export const TFTP_CANNOT_OPEN = 0x38;
export const TFTP_CANNOT_READ = 0x39;
export const TFTP_NO_SIZE = 0x3e;
export const TRANSMIT_ERROR = 0x6b;
export const INVALID_PARAMETER = 0x6c;
