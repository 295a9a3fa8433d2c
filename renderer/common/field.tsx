import type { ComponentProps } from 'react';

const frame =
  'h-8 min-w-0 rounded-lg border border-line-strong bg-raised text-sm outline-none focus-visible:border-accent focus-visible:outline-2 focus-visible:outline-offset-1 focus-visible:outline-accent disabled:opacity-45 aria-invalid:border-danger';

type FieldProps = ComponentProps<'input'> & { label: string };

/** One line to type in. Its label is for those who hear it: what stands beside it says it to the others. */
export function Field({ label, className = '', ...rest }: FieldProps) {
  return <input type="text" aria-label={label} className={`${frame} px-2.5 ${className}`} {...rest} />;
}

type ChoiceProps<Value> = {
  label: string;
  value: Value;
  options: readonly { value: Value; name: string; lang?: string }[];
  disabled?: boolean;
  onChange: (value: Value) => void;
};

/** One of a list, in the system's own menu. */
export function Choice<Value>({ label, value, options, disabled = false, onChange }: ChoiceProps<Value>) {
  return (
    <select
      value={options.findIndex((option) => option.value === value)}
      aria-label={label}
      disabled={disabled}
      className={`${frame} max-w-[min(15rem,100%)] px-2`}
      onChange={(event) => {
        const chosen = options[Number(event.target.value)];
        if (chosen) onChange(chosen.value);
      }}
    >
      {options.map(({ name, lang }, index) => (
        <option key={name} value={index} lang={lang}>
          {name}
        </option>
      ))}
    </select>
  );
}
