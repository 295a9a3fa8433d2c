import { ChevronLeft, ChevronRight } from 'lucide-react';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { toErrorMessage } from '../../app/contract/errors.ts';
import { IconButton } from '../common/button.tsx';
import { ProgressBar } from '../common/progress.tsx';
import { useQuoth } from '../common/quoth.tsx';
import type { Reading } from '../common/view.ts';
import type { OpenPdf } from './pdf-document.ts';
import type { Box } from './quote-boxes.ts';
import { readOriginal } from './read-original.ts';

type PdfState =
  | { type: 'loading'; fraction: number }
  | { type: 'open'; pdf: OpenPdf }
  | { type: 'failed'; text: string };

/** The pages of a PDF as they were printed, with the quote marked where it stands. */
export function PdfView({ reading, onFail }: { reading: Reading; onFail: (text: string) => void }) {
  const { t } = useTranslation();
  const { client } = useQuoth();
  const [state, setState] = useState<PdfState>({ type: 'loading', fraction: 0 });
  const { documentId } = reading;
  useEffect(() => {
    const controller = new AbortController();
    let opened: OpenPdf | null = null;
    const open = async (): Promise<void> => {
      const bytes = await readOriginal(client, documentId, controller.signal, (fraction) =>
        setState({ type: 'loading', fraction }),
      );
      const { openPdf } = await import('./pdf-document.ts');
      opened = await openPdf(bytes);
      if (controller.signal.aborted) opened.close();
      else setState({ type: 'open', pdf: opened });
    };
    setState({ type: 'loading', fraction: 0 });
    open().catch((thrown: unknown) => {
      if (controller.signal.aborted) return;
      const { code, message } = toErrorMessage(thrown);
      // What pdfjs throws is not made for people.
      setState({ type: 'failed', text: code === 'internal' ? t('reader.cannotDraw') : message });
    });
    return () => {
      controller.abort();
      opened?.close();
    };
  }, [client, documentId, t]);
  useEffect(() => {
    if (state.type === 'failed') onFail(state.text);
  }, [state, onFail]);
  if (state.type === 'loading')
    return (
      <div className="p-8">
        <ProgressBar value={state.fraction > 0 ? state.fraction : null} label={t('reader.loading')} />
        <p className="mt-2 text-sm text-soft">{t('reader.loading')}</p>
      </div>
    );
  return state.type === 'open' ? <Pages pdf={state.pdf} reading={reading} onFail={onFail} /> : null;
}

type PagesProps = { pdf: OpenPdf; reading: Reading; onFail: (text: string) => void };

function Pages({ pdf, reading, onFail }: PagesProps) {
  const { t } = useTranslation();
  const { client } = useQuoth();
  const target = clamp(reading.place.page ?? 1, pdf.numPages);
  const [pageNumber, setPageNumber] = useState(target);
  const [widthPx, setWidthPx] = useState(0);
  const [boxes, setBoxes] = useState<Box[] | null>(null);
  const frame = useRef<HTMLDivElement>(null);
  const sheet = useRef<HTMLDivElement>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: each new reading starts at its own page
  useEffect(() => setPageNumber(target), [reading]);

  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    const measure = (): void => setWidthPx(Math.max(200, element.clientWidth - 32));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const { quote: words, passageText, boxes: places, documentId } = reading;
  const quote = useMemo(
    () =>
      pageNumber === target && words !== null
        ? {
            words,
            passageText,
            boxes: places,
            readScan: async () => (await client.readScan({ documentId, page: target })).words,
          }
        : null,
    [client, documentId, pageNumber, target, words, passageText, places],
  );
  useEffect(() => {
    const element = sheet.current;
    if (!element || widthPx === 0) return;
    let left = false;
    setBoxes(null);
    const drawing = pdf.draw(pageNumber, element, widthPx, quote);
    drawing.done
      .then((found) => {
        if (!left) setBoxes(found);
      })
      .catch(() => {
        if (!left) onFail(t('reader.cannotDraw'));
      });
    return () => {
      left = true;
      drawing.cancel();
    };
  }, [pdf, pageNumber, widthPx, quote, onFail, t]);

  useEffect(() => {
    const first = boxes?.[0];
    if (first && frame.current) frame.current.scrollTop = Math.max(0, first.top - frame.current.clientHeight / 3);
  }, [boxes]);

  const notMarked = boxes !== null && boxes.length === 0 && quote !== null;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div ref={frame} className="min-h-0 flex-1 overflow-auto bg-hover/60 p-4 [scrollbar-gutter:stable]">
        <div className="relative mx-auto w-fit bg-white text-black shadow-float">
          <div ref={sheet} />
          {boxes?.map((box) => (
            <div key={`${box.left}/${box.top}`} className="pdf-mark" style={box} data-testid="pdf-mark" />
          ))}
        </div>
      </div>
      <div className="flex h-11 shrink-0 items-center gap-1 border-t border-line px-2 text-[0.8125rem] text-soft">
        <IconButton
          label={t('reader.previousPage')}
          disabled={pageNumber <= 1}
          onClick={() => setPageNumber(pageNumber - 1)}
        >
          <ChevronLeft className="size-4" />
        </IconButton>
        <span className="whitespace-nowrap tabular-nums">
          {t('reader.pageOf', { page: pageNumber, numPages: pdf.numPages })}
        </span>
        <IconButton
          label={t('reader.nextPage')}
          disabled={pageNumber >= pdf.numPages}
          onClick={() => setPageNumber(pageNumber + 1)}
        >
          <ChevronRight className="size-4" />
        </IconButton>
        {notMarked && <span className="ml-auto pr-2 text-right text-xs text-faint">{t('reader.notMarked')}</span>}
      </div>
    </div>
  );
}

function clamp(page: number, numPages: number): number {
  return Math.min(Math.max(1, page), Math.max(1, numPages));
}
