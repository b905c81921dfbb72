/** Numbers of NVM Express 1.4. */
export const NAMESPACE = 1;
export const SECTOR = 512;
export const MOST_ENTRIES = 1024;
/** Bytes of one command's data: 2^9 pages. */
export const MOST_TRANSFER_SHIFT = 9;
export const MOST_TRANSFER = 0x1000 << MOST_TRANSFER_SHIFT;

// Status: code, and type in bits 8-10
export const SUCCESS = 0x000;
export const INVALID_OPCODE = 0x001;
export const INVALID_FIELD = 0x002;
export const INTERNAL_ERROR = 0x006;
export const INVALID_NAMESPACE = 0x00b;
export const WRITE_PROTECTED = 0x020;
export const LBA_OUT_OF_RANGE = 0x080;
export const INVALID_COMPLETION_QUEUE = 0x100;
export const INVALID_QUEUE = 0x101;
export const INVALID_QUEUE_SIZE = 0x102;
export const INVALID_VECTOR = 0x108;
export const INVALID_LOG_PAGE = 0x109;
export const INVALID_QUEUE_DELETION = 0x10c;
export const FEATURE_NOT_CHANGEABLE = 0x10e;
export const WRITE_FAULT = 0x280;
export const READ_ERROR = 0x281;

// Admin commands
export const DELETE_SUBMISSION_QUEUE = 0x00;
export const CREATE_SUBMISSION_QUEUE = 0x01;
export const GET_LOG_PAGE = 0x02;
export const DELETE_COMPLETION_QUEUE = 0x04;
export const CREATE_COMPLETION_QUEUE = 0x05;
export const IDENTIFY = 0x06;
export const ABORT = 0x08;
export const SET_FEATURES = 0x09;
export const GET_FEATURES = 0x0a;
export const ASYNC_EVENT_REQUEST = 0x0c;

// NVM commands
export const FLUSH = 0x00;
export const WRITE = 0x01;
export const READ = 0x02;
export const WRITE_ZEROES = 0x08;
export const DATASET_MANAGEMENT = 0x09;
export const FORCE_UNIT_ACCESS = 1 << 30;
export const DEALLOCATE = 1 << 25;
