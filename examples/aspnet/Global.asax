<%@ Application Language="C#" %>
<script runat="server">
    void Application_Start(object sender, EventArgs e)
    {
        Application["Timesheet"] = TimesheetData.CreateSample();
        Application["Started"] = DateTime.Now;
    }

    // Runs after the Forms Authentication module has looked at its cookie.
    void Application_AuthenticateRequest(object sender, EventArgs e)
    {
        GatewayIdentity.Apply(Context);
    }
</script>
