-- studies.cancel_without_images: what a cancelled order takes with it. "from" are the statuses that may be cancelled.
create or replace function studies.cancel_without_images(cx jsonb, cancelled uuid, from_statuses jsonb) returns void
language plpgsql volatile
as $$
declare
    s imaging.studies;
begin
    for s in
        update imaging.studies
           set status = 'CANCELLED', version = version + 1, updated_at = imaging.clock()
         where organization = cx->>'organization' and order_id = cancelled
           and number_of_instances = 0 and from_statuses ? status
        returning *
    loop
        perform audit.append(cx, 'study.cancel', 'study', s.id, s.version, array[s.patient_id]);
        perform outbox.append(cx, 'study.changed', 'study', s.id, s.version);
    end loop;
end
$$;
