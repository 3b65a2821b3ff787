// Package local checks passwords of users kept by Sallyport: argon2id hashes in
// PHC strings, a rule for new passwords, and one account for every way of typing
// a person's name.
package local
