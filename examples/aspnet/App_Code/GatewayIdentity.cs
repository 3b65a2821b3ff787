using System;
using System.Configuration;
using System.Security.Principal;
using System.Web;
using System.Web.Security;

/// <summary>
/// Takes the user from the header that the gateway sets. This is all that was
/// added to the application when it went behind the gateway.
/// </summary>
public static class GatewayIdentity
{
    public static void Apply(HttpContext context)
    {
        string name = context.Request.Headers[Setting("UserHeader")];
        if (string.IsNullOrEmpty(name) || !IsGateway(context.Request.UserHostAddress))
            return;

        // The same kind of identity that the login page leads to, so pages and
        // libraries which cast to FormsIdentity go on working.
        DateTime now = DateTime.Now;
        FormsAuthenticationTicket ticket = new FormsAuthenticationTicket(
            2, name, now, now.AddMinutes(30), false, "from-gateway", FormsAuthentication.FormsCookiePath);
        context.User = new GenericPrincipal(new FormsIdentity(ticket), Groups(context));
    }

    /// <summary>Says whether the request was signed in by the gateway.</summary>
    public static bool IsFromGateway(IPrincipal user)
    {
        FormsIdentity identity = user == null ? null : user.Identity as FormsIdentity;
        return identity != null && identity.Ticket.UserData == "from-gateway";
    }

    private static string[] Groups(HttpContext context)
    {
        string value = context.Request.Headers[Setting("GroupsHeader")];
        if (string.IsNullOrEmpty(value))
            return new string[0];
        string[] groups = value.Split(',');
        for (int i = 0; i < groups.Length; i++)
            groups[i] = groups[i].Trim().Replace("%2C", ",");
        return groups;
    }

    private static bool IsGateway(string address)
    {
        foreach (string allowed in Setting("GatewayAddresses").Split(';'))
            if (allowed.Trim().Length > 0 && allowed.Trim() == address)
                return true;
        return false;
    }

    private static string Setting(string key)
    {
        return ConfigurationManager.AppSettings[key] ?? "";
    }
}
