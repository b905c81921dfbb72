/** Work that takes several steps: who does it goes on now and then, until it is done. It yields while it waits for something. */
export type Progress<T> = Generator<void, T, void>;
