API=${API:-http://127.0.0.1:8080/api/v1}
get()  { curl -s -H "Authorization: Bearer $1" "$API$2"; }
etag() { curl -s -o /dev/null -w '%header{etag}' -H "Authorization: Bearer $1" "$API/projects/$PROJECT"; }
post() { curl -s -H "Authorization: Bearer $1" -H "If-Match: $(etag "$1")" \
              -H 'Content-Type: application/json' -d "$3" "$API/projects/$PROJECT$2"; }

# The owner asks for the next stage and hears what is missing (409, with a list of reasons).
post "$OWNER" /transitions '{"transition":"advance"}'
# So: 签收, lay a milestone, ask again.
post "$OWNER" /acknowledge '{}'
post "$OWNER" /milestones "{\"milestones\":[{\"title\":\"形成文本初稿\",\"due\":\"$(date +%F)\"}]}"
post "$OWNER" /transitions '{"transition":"advance","note":"已签收，时间表已排好"}'
# Nobody approves their own request (403) …
post "$OWNER" /approvals '{"note":"同意"}'
# … the supervisor sees what is met and what is not (the member "options"), and approves.
get  "$SUPERVISOR" "/projects/$PROJECT"
post "$SUPERVISOR" /approvals '{"note":"同意启动"}'
# The inspector reads the trail, newest first: who, by which role, from where to where, and the hash.
get  "$INSPECTOR" "/projects/$PROJECT/entries?limit=4"
