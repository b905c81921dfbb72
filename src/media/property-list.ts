import sax from 'sax';
import { ImageError } from './disk-image.js';

/** All `Data` (as bytes) of the dictionaries in the array under a key, in an XML property list. */
export function dataUnder(key: string, xml: string): Uint8Array[] {
  const found: Uint8Array[] = [];
  const parser = sax.parser(true);
  /** The element's own text, and the name of what comes next in each dictionary and array around it. */
  let text = '';
  let name = '';
  /** Elements that are open since the array of the key; 0: it is not. */
  let depth = 0;
  parser.onopentag = ({ name: tag }) => {
    text = '';
    if (depth > 0) depth++;
    else if (tag === 'array' && name === key) depth = 1;
  };
  parser.ontext = (more) => (text += more);
  parser.onclosetag = (tag) => {
    if (tag === 'key') name = text.trim();
    else if (tag === 'data' && depth > 0 && name === 'Data') found.push(fromBase64(text));
    if (depth > 0) depth--;
  };
  parser.onerror = (error) => {
    throw new ImageError(`its property list is broken: ${error.message.split('\n')[0]}`);
  };
  parser.write(xml).close();
  return found;
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text.replace(/\s/g, '')), (letter) => letter.charCodeAt(0));
  } catch {
    throw new ImageError('its property list has data that are not in base64');
  }
}
