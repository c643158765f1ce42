import { ROLE_NAMES, ROLES } from "@meterkeep/api";
import { DataTable } from "../shell/data-table.tsx";
import { Panel } from "../shell/panel.tsx";

/** What each role does, and which nobody holds besides it. */
export function RoleTable() {
  return (
    <Panel name="roles" title="Roles">
      <DataTable label="What each role does" columns={["Role", "Does", "Is nobody's who is"]}>
        {ROLE_NAMES.map((name) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{ROLES[name].does}</td>
            <td>{ROLES[name].apart.join(", ")}</td>
          </tr>
        ))}
      </DataTable>
    </Panel>
  );
}
