import { ROLE_NAMES, ROLES } from "@meterkeep/api";
import { ScrollRegion } from "../shell/scroll-region.tsx";

/** What each role does, and which nobody holds besides it. */
export function RoleTable() {
  return (
    <section className="panel" aria-labelledby="roles-title">
      <div className="panel-head">
        <h2 id="roles-title">Roles</h2>
      </div>
      <ScrollRegion className="scroll-x" label="What each role does">
        <table className="pki-table">
          <thead>
            <tr>
              <th scope="col">Role</th>
              <th scope="col">Does</th>
              <th scope="col">Is nobody's who is</th>
            </tr>
          </thead>
          <tbody>
            {ROLE_NAMES.map((name) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{ROLES[name].does}</td>
                <td>{ROLES[name].apart.join(", ")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollRegion>
    </section>
  );
}
