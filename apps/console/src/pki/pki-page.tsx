/** The PKI: authorities, what ends when, certificates by what is known of them, and what revoking would do. What changes it is done with the command. */
import { useState } from "react";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { AuthorityTree } from "./authority-tree.tsx";
import { CertificateSearch } from "./certificate-search.tsx";
import { ExpiryPanel } from "./expiry-panel.tsx";
import { RevocationPanel } from "./revocation-panel.tsx";
import "./pki.css";

export function PkiPage() {
  usePageTitle("Certificates");
  const [within, setWithin] = useState<number | undefined>(undefined);
  return (
    <>
      <PageHead
        title="Certificates"
        lede={
          <>
            Every certificate stood in the ledger before it was signed. Everybody may see{" "}
            <a href="/pki/issued">what was issued</a>.
          </>
        }
      />
      <AuthorityTree />
      <ExpiryPanel onPick={setWithin} />
      <CertificateSearch within={within} />
      <RevocationPanel />
    </>
  );
}
