package workloads

// CPULimit is the limit of the CPU that one of the objects sets for a container, such as
// "500m"; empty if none does.
func CPULimit(objects ...*Object) string {
	for _, o := range objects {
		if o.judged != nil && o.judged.cpu != "" {
			return o.judged.cpu
		}
		for _, p := range o.pods {
			for _, c := range p.containers() {
				if q := c.Resources.Limits.Cpu(); !q.IsZero() {
					return q.String()
				}
			}
		}
	}
	return ""
}
