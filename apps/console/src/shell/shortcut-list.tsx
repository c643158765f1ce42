import { Modal } from "@mantine/core";
import { useState } from "react";
import { SHORTCUTS } from "./shortcuts.ts";
import { setSingleKeys, singleKeysOn } from "./single-keys.ts";
import "@mantine/core/styles/ModalBase.layer.css";
import "@mantine/core/styles/Modal.layer.css";
import "@mantine/core/styles/Overlay.layer.css";
import "@mantine/core/styles/Paper.layer.css";
import "@mantine/core/styles/CloseButton.layer.css";
import "@mantine/core/styles/UnstyledButton.layer.css";

/** Every key the console knows. Scrolling is not locked: the lock would inject a style element, which the page's policy forbids. */
export function ShortcutList({ onClose }: { onClose: () => void }) {
  const [on, setOn] = useState(singleKeysOn);
  const change = (next: boolean) => {
    setSingleKeys(next);
    setOn(next);
  };
  return (
    <Modal.Root opened onClose={onClose} lockScroll={false} centered>
      <Modal.Overlay />
      <Modal.Content>
        <div className="layer-head">
          <Modal.Title>Keyboard</Modal.Title>
          <Modal.CloseButton aria-label="Close" />
        </div>
        <Modal.Body>
          <dl className="shortcut-list">
            {SHORTCUTS.map(({ keys, says }) => (
              <div key={says}>
                <dt>
                  {keys.map((key) => (
                    <kbd key={key}>{key}</kbd>
                  ))}
                </dt>
                <dd>{says}</dd>
              </div>
            ))}
          </dl>
          <label className="check">
            <input type="checkbox" checked={on} onChange={(event) => change(event.currentTarget.checked)} />
            Single letters work as shortcuts
          </label>
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
