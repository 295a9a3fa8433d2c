import { Switch } from 'radix-ui';

type ToggleProps = { label: string; on: boolean; disabled?: boolean; onChange: (on: boolean) => void };

/** On or off, at once. */
export function Toggle({ label, on, disabled = false, onChange }: ToggleProps) {
  return (
    <Switch.Root
      checked={on}
      disabled={disabled}
      aria-label={label}
      className="relative h-6 w-10.5 shrink-0 rounded-full border border-line-strong bg-hover transition-colors disabled:opacity-45 data-[state=checked]:border-accent data-[state=checked]:bg-accent"
      onCheckedChange={onChange}
    >
      <Switch.Thumb className="block size-4 translate-x-[0.2rem] rounded-full bg-soft transition-transform data-[state=checked]:translate-x-[1.3rem] data-[state=checked]:bg-on-accent" />
    </Switch.Root>
  );
}
