import{_ as e,a as t,b as n,f as r,g as i,h as a,i as o,l as s,m as c,n as l,o as u,s as d,v as f,x as p,y as m}from"./page-B02JsCLB.js";var h=`/zeroconf-ai`,g=class{constructor(e){this.hass=e,this.settings=`/config/integrations/integration/zeroconf_ai`,this.can={arrange:!0,records:!0},this.routing=u((e,t)=>this.ask(e,t)),this.finding=r((e,t)=>this.ask(e,t)),this.chat=new d(e,(e,t)=>this.ask(e,t))}get isAdmin(){return this.hass.user.is_admin}live(e,t){return c(this.hass.connection,{type:`zeroconf_ai/live`},e,t)}usage(e,t,n){return this.ask(`usage`,{start:e,end:t,group_by:n})}requests(e,t){return this.ask(`requests`,{...e,...t===null?{}:{after:t}})}keys(){return this.ask(`keys`)}createKey(e){return this.ask(`keys/create`,{name:e})}enableKey(e,t){return this.ask(`keys/enable`,{key_id:e,enabled:t})}rotateKey(e){return this.ask(`keys/rotate`,{key_id:e})}revokeKey(e){return this.ask(`keys/revoke`,{key_id:e})}async budgets(){return(await this.ask(`budgets`)).budgets}setBudget(e){let{scope:t,subject:n,period:r,amount:i,action:a}=e;return this.ask(`budgets/set`,{scope:t,subject:n,period:r,amount:i,action:a})}resetBudget({scope:e,subject:t,period:n}){return this.ask(`budgets/reset`,{scope:e,subject:t,period:n})}removeBudget({scope:e,subject:t,period:n}){return this.ask(`budgets/remove`,{scope:e,subject:t,period:n})}useProvider(e,t){return this.ask(`providers/set`,{backend_id:e,enabled:t})}orderProviders(e){return this.ask(`providers/order`,{backend_ids:e})}checkProvider(e){return this.ask(`providers/check`,{backend_id:e})}link(e){return`${h}/${e}`}async ask(e,t={}){try{return await this.hass.connection.sendMessagePromise({type:`zeroconf_ai/${e}`,...t})}catch(e){let{code:t,message:n}=e;throw new s(t??`failed`,n??`The command failed.`)}}},_=300,v=`component.zeroconf_ai.config_panel.`,y=class extends f{constructor(...e){super(...e),this.route={path:``},this.narrow=!1,this.loaded=``,this.ready=!1,this.language=``,this.texts=(e,t)=>this.hass.localize(v+e,t)||e}static{this.styles=p`
    :host {
      display: block;
      height: 100%;
      overflow-y: auto;
      background: var(--primary-background-color);
    }
    header {
      position: sticky;
      top: 0;
      z-index: 1;
      display: flex;
      align-items: center;
      gap: 8px;
      min-height: var(--header-height, 56px);
      padding: 0 12px;
      background: var(--app-header-background-color, var(--primary-color));
      color: var(--app-header-text-color, #fff);
    }
    h1 {
      font-size: 1.25rem;
      font-weight: 400;
      margin: 0;
    }
  `}connectedCallback(){super.connectedCallback(),t(_).then(()=>this.ready=!0)}willUpdate(e){if(e.has(`hass`)&&(this.api??=new g(this.hass),this.language!==this.hass.language)){let e=this.language=this.hass.language;this.hass.loadBackendTranslation(`config_panel`,`zeroconf_ai`).then(()=>this.loaded=e)}}render(){return n`<header>
        ${this.ready?o(this.hass,this.narrow,this.texts(`common.menu`)):m}
        <h1>ZeroConf AI</h1>
      </header>
      ${this.loaded&&this.ready?n`<zai-page
              .api=${this.api}
              .texts=${this.texts}
              .language=${this.loaded}
              .narrow=${this.narrow}
              .tab=${this.route.path.split(`/`)[1]??``}
            ></zai-page>`:m}`}};l([i({attribute:!1})],y.prototype,`hass`,void 0),l([i({attribute:!1})],y.prototype,`route`,void 0),l([i({type:Boolean})],y.prototype,`narrow`,void 0),l([a()],y.prototype,`loaded`,void 0),l([a()],y.prototype,`ready`,void 0),y=l([e(`zeroconf-ai-panel`)],y);