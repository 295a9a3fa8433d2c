import { FileSearch, Info, Pencil, RefreshCw, Trash2, X } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Button, IconButton } from '../button.tsx';
import { Card, Empty } from '../card.tsx';
import { Chip } from '../chip.tsx';
import { Modal } from '../dialog.tsx';
import { Choice, Field } from '../field.tsx';
import { Hint } from '../hint.tsx';
import { Menu, MenuItem } from '../menu.tsx';
import { ProgressBar } from '../progress.tsx';
import { Segments } from '../segments.tsx';
import { Toggle } from '../switch.tsx';
import { Part } from './tokens.tsx';

/** The components, each in every state that it has. */
export function Controls() {
  return (
    <>
      <Part
        title="Buttons"
        about="One primary button at most in sight. Quiet ones stand in rows; danger asks before it acts."
      >
        <Row>
          {(['primary', 'plain', 'quiet', 'danger'] as const).map((look) => (
            <Button key={look} look={look}>
              {look}
            </Button>
          ))}
          {(['primary', 'plain', 'quiet', 'danger'] as const).map((look) => (
            <Button key={look} look={look} disabled>
              {look}, off
            </Button>
          ))}
          <Button>
            <RefreshCw className="size-3.5" aria-hidden="true" />
            With a picture
          </Button>
          <IconButton label="Edit">
            <Pencil className="size-4" />
          </IconButton>
          <IconButton label="Edit, small" small>
            <Pencil className="size-3.5" />
          </IconButton>
          <IconButton label="Edit, off" disabled>
            <Pencil className="size-4" />
          </IconButton>
        </Row>
      </Part>
      <Fields />
      <Part title="Chips" about="A word or two about the thing beside it; never to be pressed.">
        <Row>
          <Chip>12 pages</Chip>
          <Chip tone="accent">Ready</Chip>
          <Chip tone="warn">Slow on this computer</Chip>
          <Chip tone="danger">Not read</Chip>
        </Row>
      </Part>
      <Part title="Progress">
        <div className="grid max-w-md gap-4">
          <ProgressBar value={0} label="Not begun" />
          <ProgressBar value={0.42} label="Under way" />
          <ProgressBar value={1} label="Done" />
          <ProgressBar value={null} label="Nobody knows how long" />
        </div>
      </Part>
      <Overlays />
      <Part title="Cards and empty places">
        <div className="grid gap-4 md:grid-cols-2">
          <Card className="px-5 py-4">
            <h3 className="font-medium">A card</h3>
            <p className="mt-1 text-sm text-soft">What belongs together, raised from the page.</p>
          </Card>
          <Card>
            <div className="mx-auto max-w-md p-6 text-center">
              <FileSearch className="mx-auto size-6 text-faint" aria-hidden="true" />
              <p className="mt-2 text-soft">Nothing matches “harvest”.</p>
            </div>
          </Card>
        </div>
        <div className="mt-4 rounded-2xl border border-dashed border-line-strong">
          <Empty
            title="Ask your own documents."
            detail="Drop in a folder, and every answer shows the words it rests on."
            heading="h3"
          >
            <Button look="primary">Add files</Button>
            <Button>Add folder</Button>
          </Empty>
        </div>
      </Part>
      <Part title="Quotes and marks">
        <blockquote className="max-w-xl border-l-3 border-mark-line pl-3.5 font-serif">
          The bridge of Kintai has five wooden arches and is <mark>one hundred and ninety-three metres</mark> long.
        </blockquote>
      </Part>
    </>
  );
}

function Row({ children }: { children: ReactNode }) {
  return <div className="flex flex-wrap items-center gap-3">{children}</div>;
}

function Fields() {
  const [on, setOn] = useState(true);
  const [view, setView] = useState<'list' | 'grid'>('list');
  const [length, setLength] = useState(512);
  const lengths = [128, 512, 2048].map((value) => ({ value, name: `${value} tokens` }));
  const views = [
    { value: 'list', name: 'List' },
    { value: 'grid', name: 'Grid' },
  ] as const;
  return (
    <Part title="Fields and choices" about="Each has a label that is heard, whether or not words stand beside it.">
      <Row>
        <Field label="Empty" placeholder="en, de, ja" />
        <Field label="With words" defaultValue="lighthouse" />
        <Field label="Not accepted" defaultValue="http://" aria-invalid="true" />
        <Field label="Off" defaultValue="off" disabled />
        <Choice label="Length" value={length} options={lengths} onChange={setLength} />
        <Choice label="Length, off" value={length} options={lengths} disabled onChange={setLength} />
        <Toggle label="A switch" on={on} onChange={setOn} />
        <Toggle label="The other way" on={!on} onChange={(next) => setOn(!next)} />
        <Toggle label="A switch, off for now" on={false} disabled onChange={() => undefined} />
        <div className="w-44">
          <Segments label="View" value={view} options={views} onChange={setView} />
        </div>
      </Row>
    </Part>
  );
}

function Overlays() {
  const [open, setOpen] = useState(false);
  return (
    <Part title="Dialog, menu, hint, notice" about="What floats has the deep shadow, and goes with Escape.">
      <Row>
        <Button onClick={() => setOpen(true)}>Open a dialog</Button>
        <Menu trigger={<Button>Open a menu</Button>}>
          <MenuItem icon={<Pencil className="size-3.5" />} onSelect={() => undefined}>
            Rename
          </MenuItem>
          <MenuItem icon={<Trash2 className="size-3.5" />} danger onSelect={() => undefined}>
            Remove
          </MenuItem>
        </Menu>
        <Hint words="A sentence about what the pointer or the focus rests on.">
          <Button look="quiet">
            <Info className="size-3.5" aria-hidden="true" />
            Rest here
          </Button>
        </Hint>
      </Row>
      <Modal
        open={open}
        title="Remove “Report”?"
        description="It goes from the library; the file stays."
        onClose={() => setOpen(false)}
      >
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={() => setOpen(false)}>Cancel</Button>
          <Button look="danger" onClick={() => setOpen(false)}>
            Remove
          </Button>
        </div>
      </Modal>
      {/* As common/notice-list.tsx draws it, standing still. */}
      <div className="mt-4 flex w-[min(18rem,100%)] items-start gap-2 rounded-xl border border-line bg-raised py-2 pr-1.5 pl-3.5 text-[0.8125rem] shadow-float">
        <span className="min-w-0 flex-1 py-1">“Report” was removed.</span>
        <button type="button" className="rounded-md px-2 py-1 font-medium text-accent hover:bg-hover">
          Undo
        </button>
        <IconButton small label="Dismiss">
          <X className="size-3.5" />
        </IconButton>
      </div>
    </Part>
  );
}
