/**
 * Keeps zod from compiling its schemas with `new Function`, which the window's content policy forbids. Must be the first
 * import of the window: a schema decides when it is made.
 */
import { config } from 'zod';

config({ jitless: true });
