/** A bar from 0 to 1; `null` = it runs, but nobody knows how far. */
export function ProgressBar({ value, label }: { value: number | null; label: string }) {
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(value === null ? {} : { 'aria-valuenow': Math.round(value * 100) })}
      className="h-1.5 w-full overflow-hidden rounded-full bg-hover"
    >
      <div
        className={`h-full rounded-full bg-accent transition-[width] duration-300 ${value === null ? 'indeterminate' : ''}`}
        style={{ width: `${(value ?? 1) * 100}%` }}
      />
    </div>
  );
}
