import { ROLE_NAMES, type RoleName, rolesApart } from "@meterkeep/api";

/** Roles to tick; one that does not go with those ticked cannot be. */
export function RoleChoice({
  legend,
  chosen,
  choose,
}: {
  legend: string;
  chosen: readonly RoleName[];
  choose: (roles: readonly RoleName[]) => void;
}) {
  return (
    <fieldset className="role-choice">
      <legend>{legend}</legend>
      {ROLE_NAMES.map((role) => {
        const isChosen = chosen.includes(role);
        return (
          <label key={role}>
            <input
              type="checkbox"
              checked={isChosen}
              disabled={!isChosen && rolesApart([...chosen, role]) !== undefined}
              onChange={() => choose(isChosen ? chosen.filter((one) => one !== role) : [...chosen, role])}
            />
            {role}
          </label>
        );
      })}
    </fieldset>
  );
}
