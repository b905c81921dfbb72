/** The file is none of its format, or broken. */
export class ImageError extends Error {
  name = 'ImageError';
}
