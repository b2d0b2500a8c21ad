package client

// BackoffMaxDefault is the longest wait after a failed attempt if the config does not say.
const BackoffMaxDefault = defaultBackoffMax
