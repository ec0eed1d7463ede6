import type { ParkedMatch, Parking, ScratchFile } from "../parking/index.ts";

/** A parked conversation while it is decrypted, which takes no turn of the engine. */
export class Restoring {
  readonly kind = "restore";
  readonly match: ParkedMatch;
  /** The plain state, once `settled`; null when there is none. */
  file: ScratchFile | null = null;
  settled = false;
  #left = false;

  constructor(parking: Parking, match: ParkedMatch, onSettled: () => void) {
    this.match = match;
    void parking.open(match).then((file) => {
      this.settled = true;
      if (this.#left) file?.close();
      else this.file = file;
      onSettled();
    });
  }

  /** Nobody needs it any more. */
  leave(): void {
    this.#left = true;
    this.file?.close();
    this.file = null;
  }
}
