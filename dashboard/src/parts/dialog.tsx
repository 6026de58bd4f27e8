import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface DialogProps {
  readonly title: string;
  readonly close: () => void;
  readonly children: ComponentChildren;
}

/** A modal dialogue: the browser's own, which keeps the focus inside and gives it back. */
export function Dialog({ title, close, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = element.current as HTMLDialogElement;
    const before = document.activeElement;
    dialog.showModal();
    return () => {
      dialog.close();
      // The browser gives the focus back only to what it closed itself.
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={element} onCancel={close} aria-labelledby="dialog-title">
      <div class="dialog-head">
        <h2 id="dialog-title">{title}</h2>
        <button type="button" class="plain" onClick={close} aria-label="Close this dialogue">
          ✕
        </button>
      </div>
      {children}
    </dialog>
  );
}

interface ConfirmProps {
  readonly title: string;
  readonly children: ComponentChildren;
  readonly actions: readonly {
    readonly label: string;
    readonly run: () => void;
    readonly danger?: boolean;
  }[];
  readonly close: () => void;
}

/** Asks before something is done that can't be undone. */
export function Confirm({ title, children, actions, close }: ConfirmProps) {
  return (
    <Dialog title={title} close={close}>
      {children}
      <div class="dialog-actions">
        {actions.map(({ label, run, danger = false }) => (
          <button
            type="button"
            key={label}
            class={danger ? "danger" : "primary"}
            onClick={() => {
              close();
              run();
            }}
          >
            {label}
          </button>
        ))}
        <button type="button" onClick={close}>
          Cancel
        </button>
      </div>
    </Dialog>
  );
}
