package api

// Routes lists the server's routes as "METHOD path".
func Routes(s *Server) []string {
	var out []string
	for _, r := range s.handler.Routes() {
		out = append(out, r.Method+" "+r.Path)
	}
	return out
}
