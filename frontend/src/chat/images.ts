import { noChange } from "lit";
import { Directive, directive, type ElementPart } from "lit/directive.js";

/** An image that a person wants to send. */
export interface ChosenImage {
  file: File;
  width: number;
  height: number;
  bitmap: ImageBitmap;
}

const BYTES = 10 * 1024 * 1024;
const TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const PREVIEW = 144;

/** The image in a file; null if it is none that can be sent. */
export async function readImage(file: File): Promise<ChosenImage | null> {
  if (!TYPES.includes(file.type) || file.size > BYTES) return null;
  try {
    const bitmap = await createImageBitmap(file);
    return { file, width: bitmap.width, height: bitmap.height, bitmap };
  } catch {
    return null;
  }
}

/** Draws an image on its canvas. The content security policy of serve allows no addresses of blobs. */
class Drawn extends Directive {
  private last: ChosenImage | undefined;

  render(image: ChosenImage): typeof noChange {
    this.last = image;
    return noChange;
  }

  override update(part: ElementPart, [image]: [ChosenImage]): typeof noChange {
    if (image === this.last) return noChange;
    const canvas = part.element as HTMLCanvasElement;
    const scale = Math.min(1, PREVIEW / Math.max(image.width, image.height));
    canvas.width = Math.max(1, Math.round(image.width * scale));
    canvas.height = Math.max(1, Math.round(image.height * scale));
    canvas.getContext("2d")?.drawImage(image.bitmap, 0, 0, canvas.width, canvas.height);
    return this.render(image);
  }
}

export const drawn = directive(Drawn);
