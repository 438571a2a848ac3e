-- studies.follow_report: move a study to where its report has brought it, if the study may go there.
-- "follow" is made by domain::StudyStatus::follow: {"status", "from"}. The caller holds the study's lock; its order
-- stays where it is, for it asks no more of a study than that it is completed.
create or replace function studies.follow_report(cx jsonb, s imaging.studies, follow jsonb) returns void
language plpgsql volatile
as $$
begin
    if not coalesce(follow->'from' ? s.status, false) then
        return;
    end if;
    update imaging.studies
       set status = follow->>'status', version = version + 1, updated_at = imaging.clock()
     where organization = s.organization and id = s.id
    returning * into s;
    perform audit.append(cx, 'study.follow_report', 'study', s.id, s.version, array[s.patient_id]);
    perform outbox.append(cx, 'study.changed', 'study', s.id, s.version);
end
$$;
